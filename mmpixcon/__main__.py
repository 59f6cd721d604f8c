"""``python -m mmpixcon``: the command of the same name."""

from mmpixcon.commands.app import main

if __name__ == '__main__':
    main()
