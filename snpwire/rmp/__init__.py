"""The reverse map table as one array: reading it, searching it, checking it, changing it.

An entry and the rules for its state are declared in ``snpwire.wire.rmp``. Here are

* ``table`` and ``segments``: the table, mapped over an image or blank; ``table_reader`` is what
  both can be asked, ``page_ranges`` sets of pages, ``chunks`` the way through a whole table;
* ``scalar`` and ``vector``: instructions and firmware commands that change it, for one page without
  numpy, or for arrays of pages; ``snp_init``: the table that SNP_INIT builds,
  ``platform``: the same on an array; ``sparse_table``: a small one without numpy, for the engine;
* ``access``: the RMP checks of the processor; ``entry``: masks of an entry's bits;
* ``dump``: a table of which some entries may be missing, and its pages by the cells of a map;
  ``census`` counts them, ``search`` lists them, and ``check`` judges them.
"""
