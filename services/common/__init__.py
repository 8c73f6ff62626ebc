"""What two services share: model artifacts, the text classifier, HTTP conventions, logs and metrics."""
