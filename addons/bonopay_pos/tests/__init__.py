from . import test_javascript, test_legal_arithmetic
