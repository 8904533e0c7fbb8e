"""What anybody may check of a sealed invoice, and the keys to check it with. Second to the DGI's own check."""
