"""HM-LSTM, a stack of LSTM layers that learn where segments end (Chung, Ahn, Bengio, ICLR 2017)."""
