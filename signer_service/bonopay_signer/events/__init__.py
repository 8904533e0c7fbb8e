"""What happened between a merchant and the DGI that somebody is to know: written once, never changed, followed."""
