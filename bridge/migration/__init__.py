"""What a tenant's way from V2 to V3 needs, beside the bridge itself: conversions counted, words and names settled."""
