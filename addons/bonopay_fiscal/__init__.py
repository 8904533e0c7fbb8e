from . import controllers, core, models, report, wizard
from .hooks import post_init_hook
