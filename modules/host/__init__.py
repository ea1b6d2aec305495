"""The only package of ours, besides `nodes`, that imports ComfyUI."""
