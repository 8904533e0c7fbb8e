from . import test_javascript
from . import test_legal_arithmetic
