"""The launcher behind `./bonopay`: it installs, starts, stops and forwards; it holds no logic of the product.

Standard library only, because it runs before anything is installed.

| module | holds |
|---|---|
| `cli` | the commands |
| `config` | folders, ports, versions: everything that can be configured |
| `console` | progress on the terminal, errors that say the way out |
| `shell` | running programs with their output in a log |
| `packages` | Debian packages, the unpacked Odoo, Python environments |
| `postgres` | a private PostgreSQL cluster |
| `services` | long-running processes: start, wait until ready, stop |
| `signer`, `sandbox`, `odoo` | how each server is prepared and started in an instance |
| `instance` | one running set of all servers, in a folder of its own |
| `demo` | the first sealed sale, told as a story |
| `testing`, `linting`, `benchmarks` | the other commands |
"""
