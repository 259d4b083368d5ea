"""Names of the files of a plan; imports nothing, so that a job which only posts them can know them too."""

PLAN_FOLDER = "plan"
"""Below the environment's folder."""
MARKDOWN_NAME, DOCUMENT_NAME, SEALED_NAME = "plan.md", "plan.json", "plan.sealed"
