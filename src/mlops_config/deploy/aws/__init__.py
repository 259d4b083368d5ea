"""An endpoint on SageMaker: blue/green updates, traffic shifting and alarms are the provider's own."""
