{
    "name": "Chained documents",
    "summary": "A peer to measure against: a hash-chained document per posted invoice, as Spanish Veri*Factu makes one",
    "version": "19.0.1.0.0",
    "author": "Bono Pay",
    "license": "LGPL-3",
    "depends": ["account"],
    "data": ["security/ir.model.access.csv"],
}
