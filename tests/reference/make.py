"""Makes every golden under goldens/: `python tests/reference/make.py`. Running it twice writes identical bytes."""

import shared  # noqa: F401  (sets the environment before transformers is imported)
from adamw8bit import make_adamw8bit
from arguments import make_arguments
from bitsandbytes_check import make_bitsandbytes
from drawn_starts import make_drawn_starts
from dynamic_map import make_dynamic_map
from labels import make_labels
from lora_fields import make_lora_fields
from methods import make_methods
from models import make_models
from nf4 import make_nf4
from own_runs import make_own_runs
from schedules import make_schedules
from single_pass import make_single_pass
from starts import make_starts
from targets import make_targets
from training import make_training

make_schedules()
make_models()
make_training()
make_dynamic_map()
make_nf4()
make_methods()
make_starts()
make_drawn_starts()
make_targets()
make_lora_fields()
make_labels()
make_arguments()
make_single_pass()
make_adamw8bit()
make_own_runs()
make_bitsandbytes()
