"""`python -m kubeactors.store`: see kubeactors.store.process."""

import sys

from kubeactors.store.process import main

sys.exit(main())
