"""What runs once a release is out: four jobs and a model server, each proving first what it obeys.

The rooms, in the order data flows through them::

    context      the verified configuration, and where the job is
    data         tables at file://, s3:// and gs://: read, checked against the schema, split, fingerprinted
    profile      mergeable summaries of a table's columns, made by DuckDB or Spark
    drift        distances and tests between two profiles
    model        estimators, metrics, gates; the model as it is stored and served
    tracking     runs and model versions in MLflow
    training · inference · serving · monitoring · retraining      the jobs
    metrics      what the jobs tell Prometheus

Everything here needs the ``jobs`` extra.
"""
