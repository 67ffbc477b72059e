"""The administration of the office (人事与机构): units, people, roles, leave, leavers, conflicts.

Every verb works on a :class:`~engine.administration.register.Register`, opened in the caller's
transaction: one change of the office at a time, under the name of whoever makes it. The tables
themselves write the record of every change.
"""
