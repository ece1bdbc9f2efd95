"""Options that the tests of the command line share."""

SMALL = """--corpus phrases:train=160,dev=40,test=40 --vectors random:6 --hidden-size 10 --batch-size 16 --warm-epochs 1
--pnet-epochs 1 --joint-epochs 1 --threads 1""".split()
