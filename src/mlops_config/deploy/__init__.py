"""Deployers: the same steps on this machine, on SageMaker and on Vertex AI."""
