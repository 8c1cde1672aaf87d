from bastion.masking.columns.masker import ColumnMasker

__all__ = ["ColumnMasker"]
