"""What anybody may spend: rates, accounts, shares and turns, by connection, key, tenant and address. No I/O."""
