"""What nobody means to give: damaged files and odd inputs, by a seed, so that each can be made again."""
