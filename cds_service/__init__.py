"""Milan-NET CDS: decides whether a recorded neuroendocrine tumour meets referral criteria, and says so in cards."""
