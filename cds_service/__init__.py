"""Milan-NET CDS: decides whether a recorded neuroendocrine tumour meets transplant-referral criteria, and says so in cards."""
