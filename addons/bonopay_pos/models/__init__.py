from . import account_tax
from . import res_company
