"""Development only: set-up, the real host in-process, and access to the pack. A user who has ComfyUI needs none."""
