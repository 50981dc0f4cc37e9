"""Raw traffic shows which tasks are in it; what people adopt is matched from then on."""
