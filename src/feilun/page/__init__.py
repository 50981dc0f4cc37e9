"""What every HTML report of the house is made of: safe markup, charts, words, and the page.

One file that needs nothing else: no script, no font, no picture and no link from elsewhere.
"""
