"""`python -m qingyu` is `qingyu`."""

from qingyu.cli.main import main

main()
