"""A model of 200 MiB through MLflow: registered, and downloaded again."""

from registry_story import mlflow_steps
from story import tell, with_host

if __name__ == "__main__":
    with_host()
    tell({"mlflow": mlflow_steps("main.default.big", 200)})
