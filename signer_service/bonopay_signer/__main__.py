from bonopay_signer.cli import main

raise SystemExit(main())
