{
    "name": "Bono Pay: point of sale",
    "summary": "A till that loses no sale and seals before it prints",
    "version": "19.0.1.0.0",
    "category": "Sales/Point of Sale",
    "countries": ["cd"],
    "author": "Bono Pay",
    "license": "LGPL-3",
    "development_status": "Alpha",
    "depends": ["bonopay_fiscal", "point_of_sale"],
    "assets": {
        "point_of_sale._assets_pos": ["bonopay_pos/static/src/core/**/*", "bonopay_pos/static/src/tax/**/*"],
        "web.assets_unit_tests": ["bonopay_pos/static/tests/**/*"],
    },
}
