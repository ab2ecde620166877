"""What keeps realizations alive, and what becomes of the others: roots, holds, collections, the trash."""
