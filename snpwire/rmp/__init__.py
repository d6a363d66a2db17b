"""The reverse map table as one array: what it says of many pages, and how instructions change it.

Declarations of an entry and the rules for its state are in ``snpwire.wire.rmp``. Here are

* ``table`` and ``segments``: the table, laid over an image or made blank; ``reading`` has what both
  can be asked, ``runs`` what they answer with;
* ``single`` and ``instructions``: what changes it, one page at a time without numpy, or many pages;
  ``snp_init``: how SNP_INIT builds it, ``platform`` on such an array;
* ``access`` and ``accesses``: who may touch a page, and many; ``entry``: the bits that all go by;
* ``dump``: what there is of a table where that is not all, with ``stretches``, ``cells`` and
  ``check`` to list it, to map it and to judge it.
"""
