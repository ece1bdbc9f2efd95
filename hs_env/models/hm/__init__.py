"""HM-LSTM: layers that decide by themselves where a segment ends (Chung, Ahn, Bengio, ICLR 2017)."""
