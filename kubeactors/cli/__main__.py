"""`python -m kubeactors.cli`: the same as the `kubeactors` command."""

from kubeactors.cli.main import main

main()
