"""The DGI's devices: one interface, its drivers, and the record of every exchange."""
