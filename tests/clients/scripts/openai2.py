"""The openai client, major version 2, on both base URLs."""

from openai_story import story
from story import tell

tell({"serving_endpoints": story("/serving-endpoints"), "v1": story("/v1")})
