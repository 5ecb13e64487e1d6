"""What an operator is given, tried as an operator would: a real nginx, real images, real processes behind them."""
