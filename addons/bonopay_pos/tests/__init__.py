from . import test_javascript
