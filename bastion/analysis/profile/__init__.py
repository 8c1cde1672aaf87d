"""What a program can do with its arguments: the language of the profiles, their loader, and the reading of an argv.

acts      what one use of a program does, as values
model     a profile, once read
loader    YAML to model, strictly
options   an argv against a profile: which word is an option, a value, an operand, a command
roles     what follows from a word in its role: a path written, text for a shell, SQL, a peer
judge     all of it together, and conditions
scripts   sed and awk programs, as far as they are clearly harmless
inline    code for an interpreter: what it shows of itself
looks     what is looked at or looked for
paths     categories that follow from a path, whoever reads, writes or runs it
outlines  the same for a path of which only a part is known
"""
