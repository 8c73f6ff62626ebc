"""The same model served otherwise. Each runs in `.venv-bench` and takes the model's folder and a port."""
