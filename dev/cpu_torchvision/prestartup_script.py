"""Run by the host before it imports torchvision; see __init__.py beside this file."""

import importlib.util
import sys
from pathlib import Path

_NAME = "cpu_torchvision_prestartup"
_spec = importlib.util.spec_from_file_location(_NAME, Path(__file__).with_name("__init__.py"))
_module = importlib.util.module_from_spec(_spec)
sys.modules[_NAME] = _module  # keeps the declared operators alive
_spec.loader.exec_module(_module)
_module.install()
