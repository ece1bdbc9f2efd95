"""H-Net, networks that cut a sequence into chunks and read the chunks one level up (Hwang, Wang, Gu 2025)."""
