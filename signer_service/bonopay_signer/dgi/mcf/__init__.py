"""The physical MCF (module de contrôle de facturation) on a serial line."""
