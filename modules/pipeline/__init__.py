"""What each node does, one verb a file, in terms of the rooms before it. Imports ComfyUI through `host` alone."""
