"""What the pack does, in plain torch. Only `modules.host` imports ComfyUI."""
