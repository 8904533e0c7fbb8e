from . import account_tax
from . import res_company
from . import account_tax, res_company
