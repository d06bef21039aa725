"""openfm: the Databricks Foundation Model APIs on your own hardware."""

__version__ = "0.1.0"
