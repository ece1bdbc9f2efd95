"""Share trained runs on the Hugging Face hub: their files, their model card, upload and download.

A shared run holds safetensors and JSON only. Neither its upload nor its download executes anything in it.
"""

from hs_env.hub.card import make_card
from hs_env.hub.pull import local, pull
from hs_env.hub.push import push

__all__ = ["local", "make_card", "pull", "push"]
