"""The DGI's own tables (SFE §1.31): asked for now and then, kept with their dates, compared with the core's."""
