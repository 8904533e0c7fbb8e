"""PostgreSQL: the pool, the migrations, and the lock that keeps a second signer out."""
