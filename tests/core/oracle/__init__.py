"""What real shells do with a text: every command that they would run is written down instead.

sandbox   runs a text in bash or dash, with no program and no builtin left that could do anything but log its argv
trees     trees of the intermediate form, made by hypothesis
texts     texts that people and attackers could have written, made of pieces
"""
